/**
 * Takes the runtime's own ways to the network away from everything in this process but the application's one way out
 * (app/network/network.ts): a library that connects by itself fails instead of going around the offline switch and the ledger.
 */
const refuse = async (): Promise<never> => {
  throw new Error('Only app/network may connect to other computers.');
};

/** The runtime's fetch, for `compose`; from then on nobody else finds it. To be called once, at a process's start. */
export function takeFetch(): typeof globalThis.fetch {
  const { fetch } = globalThis;
  globalThis.fetch = refuse;
  Reflect.deleteProperty(globalThis, 'WebSocket');
  Reflect.deleteProperty(globalThis, 'EventSource');
  return fetch;
}
