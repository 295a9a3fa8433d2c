/** What a command says: JSON for programs, a line of its own words for people. */

export type Output = {
  readonly json: boolean;
  /** One fact: the object as a line of JSON, or the words for people (null = nothing to say to them). */
  say(fact: object, words: string | null): Promise<void>;
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
  return {
    json,
    async say(fact, words) {
      if (json) await write(`${JSON.stringify(fact)}\n`);
      else if (words !== null) await write(`${words}\n`);
    },
    async piece(text) {
      if (!json) await write(text);
    },
    line: (value) => write(`${JSON.stringify(value)}\n`),
  };
}
