/** What a command says: JSON for programs, a line of its own words for people. */

export type Output = {
  readonly json: boolean;
  /** One fact: the object as a line of JSON, or the words for people (null = nothing to say to them). */
  say(fact: object, words: string | null): Promise<void>;
  /**
   * How far it is: a line that the next one takes the place of. On a terminal, for people only; elsewhere nothing, since
   * nothing can be taken back there. Null takes it away.
   */
  status(words: string | null): Promise<void>;
  readonly isTerminal: boolean;
  /** Text that goes on where the last piece ended, for people only. */
  piece(text: string): Promise<void>;
  /** A line that is JSON in either mode: the answer of commands that serve programs. */
  line(value: unknown): Promise<void>;
};

/** Writes to a stream and waits while it is full; a reader that went away (`| head`) is no error. */
export function createOutput(stream: NodeJS.WritableStream, json: boolean): Output {
  const write = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      stream.write(text, (error) => {
        if (!error || (error as NodeJS.ErrnoException).code === 'EPIPE') resolve();
        else reject(error);
      });
    });
  const isTerminal = !json && (stream as { isTTY?: boolean }).isTTY === true;
  let shown = '';
  /** Back to the start of the line and over it: without this, a longer line would show through. */
  const status = async (words: string | null): Promise<void> => {
    if (!isTerminal || (words ?? '') === shown) return;
    shown = words ?? '';
    await write(`\r\u001b[2K${shown}`);
  };
  return {
    json,
    isTerminal,
    status,
    async say(fact, words) {
      await status(null);
      if (json) await write(`${JSON.stringify(fact)}\n`);
      else if (words !== null) await write(`${words}\n`);
    },
    async piece(text) {
      if (!json) await write(text);
    },
    line: (value) => write(`${JSON.stringify(value)}\n`),
  };
}
