/**
 * A PDF of plain lines, as few bytes as will do: Letter pages (612 × 792 points), Helvetica 18, line n of a page from x = 72
 * with its foot 100 + 30 n points below the upper edge.
 */
export function makePdf(pages: string[][]): Uint8Array {
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    `<< /Type /Pages /Count ${pages.length} /Kids [${pages.map((_, n) => `${4 + 2 * n} 0 R`).join(' ')}] >>`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
    ...pages.flatMap((lines, n) => {
      const content = lines
        .map((line, index) => {
          const escaped = line.replace(/[()\\]/g, '\\$&');
          return `BT /F1 18 Tf 72 ${792 - 100 - 30 * index} Td (${escaped}) Tj ET`;
        })
        .join('\n');
      return [
        `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents ${5 + 2 * n} 0 R /Resources << /Font << /F1 3 0 R >> >> >>`,
        `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
      ];
    }),
  ];
  let text = '%PDF-1.4\n';
  const offsets = objects.map((object, index) => {
    const offset = text.length;
    text += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const numObjects = objects.length + 1;
  text += `xref\n0 ${numObjects}\n0000000000 65535 f \n${table}trailer\n<< /Size ${numObjects} /Root 1 0 R >>\nstartxref\n${text.length}\n%%EOF\n`;
  return new TextEncoder().encode(text);
}
