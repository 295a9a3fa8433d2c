/** The things that both sides of the window's border speak of. One word per thing: see the glossary in README.md. */
export * from './chats.ts';
export * from './connections.ts';
export * from './documents.ts';
export * from './ids.ts';
export * from './jobs.ts';
export * from './models.ts';
export * from './passages.ts';
export * from './remote.ts';
export * from './settings.ts';
