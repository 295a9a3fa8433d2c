import { type CatalogueEntry, catalogue } from '../../engines/catalogue.ts';
import type { Offer, OfferPart } from './offer.ts';

/** The catalogue's models in the order in which they are offered: the first of a role is its default. */
export const offers: readonly Offer[] = catalogue.map(offerOf);

function offerOf(entry: CatalogueEntry): Offer {
  const { id, name, role, licence, planBytes, note, checkpoint, prompts } = entry;
  const files = entry.files.map((file) => ({ name: file.name, sha256: file.sha256, parts: partsOf(file, entry) }));
  return {
    id,
    name,
    role,
    licence,
    planBytes,
    note,
    ...(prompts === undefined ? {} : { prompts }),
    checkpoint: checkpoint.type === 'file' ? checkpoint.name : null,
    files,
  };
}

function partsOf(file: CatalogueEntry['files'][number], entry: CatalogueEntry): OfferPart[] {
  const { source, sha256 } = file;
  if (source.type === 'package')
    return source.parts.map(({ archive, path }) => ({
      type: 'npm',
      package: archive.name,
      version: archive.version,
      sizeBytes: archive.sizeBytes,
      integrity: archive.integrity,
      member: path,
    }));
  const exact = file.sizeBytes !== null;
  return [{ type: 'web', address: source.url, sizeBytes: file.sizeBytes ?? entry.downloadBytes, exact, sha256 }];
}
