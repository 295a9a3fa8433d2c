/** The application finds quotes in the same way: a mark in the window and the boxes of the local API agree. */
export { locateQuote, type QuotePlace } from '../../app/contract/locate-quote.ts';
