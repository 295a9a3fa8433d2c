import type { Offer } from './offer.ts';

export const offers: readonly Offer[] = [];
