import type { Place } from '../../app/contract/types.ts';
import { currentLanguage, text } from './text/text.ts';

const sizeUnits = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** A size in the units that disks are sold in: 1 kB = 1,000 bytes. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < sizeUnits.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${formatNumber(value, unit === 0 || value >= 99.5 ? 0 : 1)} ${sizeUnits[unit]}`;
}

/** A place in a video: `4:32` or `1:04:32`. */
export function formatClock(seconds: number): string {
  const whole = Math.floor(seconds);
  const pad = (value: number): string => String(value).padStart(2, '0');
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}

/** A time that something takes, in words of the person: `320 ms`, `4.2 s`, `3 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 90_000) return `${formatNumber(ms / 1000, ms < 9950 ? 1 : 0)} s`;
  if (ms < 5_400_000) return `${Math.round(ms / 60_000)} min`;
  return `${formatNumber(ms / 3_600_000, 1)} h`;
}

export function formatCount(count: number): string {
  return count.toLocaleString(currentLanguage());
}

/** A number with so many digits after the point, or after the comma where the language has one. */
export function formatNumber(value: number, digits: number): string {
  return value.toLocaleString(currentLanguage(), { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Where a text stands, in a word or two; empty when the document has no places. */
export function formatPlace(place: Place): string {
  const numbered = formatNumberedPlace(place);
  if (place.label === null) return numbered;
  // A slide or a sheet says all; of a file inside an archive the page or second is wanted too.
  const isWhole = place.startSeconds === null && (place.page === null || place.label.endsWith(` ${place.page}`));
  return isWhole || numbered === '' ? place.label : `${place.label}, ${numbered}`;
}

function formatNumberedPlace(place: Place): string {
  if (place.startSeconds !== null) return formatClock(place.startSeconds);
  if (place.page !== null) return text('place.page', { page: place.page });
  if (place.paragraph !== null) return text('place.paragraph', { paragraph: place.paragraph });
  return '';
}

/** A day in the person's calendar. */
export function formatDay(ms: number): string {
  return new Date(ms).toLocaleDateString(currentLanguage());
}
