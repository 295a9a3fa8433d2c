import {
  aboutBytesOf,
  type CatalogueEntry,
  catalogue,
  type KitEntry,
  keptBytesOf,
  kits,
  type PackageArchive,
} from '../../engines/catalogue.ts';
import type { Offer, OfferPart } from './offer.ts';

/** The catalogue's models in the order in which they are offered: the first of a role is its default. */
export const offers: readonly Offer[] = [...catalogue.map(offerOf), ...kits.map(offerOfKit)];

function offerOf(entry: CatalogueEntry): Offer {
  const { id, name, role, licence, licenceUrl, planBytes, note, checkpoint, shape, contextTokens } = entry;
  const files = entry.files.map((file) => ({ name: file.name, sha256: file.sha256, parts: partsOf(file, entry) }));
  return {
    id,
    name,
    role,
    licence,
    licenceUrl,
    planBytes,
    note,
    languages: entry.languages,
    ...promptsOf(entry),
    checkpoint: checkpoint.type === 'file' ? checkpoint.name : null,
    files,
    fit: { name, role, planBytes, shape, contextTokens },
  };
}

function offerOfKit({ files, ...entry }: KitEntry): Offer {
  return {
    ...entry,
    planBytes: keptBytesOf({ files }),
    checkpoint: null,
    files: files.map(({ name, sha256, archive, path }) => ({ name, sha256, parts: [partOf(archive, path)] })),
  };
}

/** None is what the checkpoint's own files are to say. */
function promptsOf(entry: CatalogueEntry): Pick<Offer, 'prompts'> {
  if (entry.role !== 'embedder') return {};
  const { question: query, passage } = entry.prefixes;
  return query === '' && passage === '' ? {} : { prompts: { query, passage } };
}

function partsOf(file: CatalogueEntry['files'][number], entry: CatalogueEntry): OfferPart[] {
  const {
    sources: [source],
    sha256,
  } = file;
  if (source.type === 'package') return source.parts.map(({ archive, path }) => partOf(archive, path));
  const exact = file.sizeBytes !== null;
  return [{ type: 'web', address: source.url, sizeBytes: aboutBytesOf(entry, file), exact, sha256 }];
}

function partOf({ name, version, sizeBytes, integrity }: PackageArchive, member: string): OfferPart {
  return { type: 'npm', package: name, version, sizeBytes, integrity, member };
}
