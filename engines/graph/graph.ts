/** All that an architecture imports: the words of the language (types.ts) and the builder that speaks them (builder.ts). */
export { createGraphBuilder, type GraphBuilder, pairsApart } from './builder.ts';
export * from './types.ts';
