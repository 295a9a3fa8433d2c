/** A folder of small documents for the story, made on the spot: each says one thing that no other says. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

export const question = 'How long is the bridge of Kintai?';
/** A model has more than one word to say to this. */
export const stopQuestion = 'When was the lighthouse of Alexandria built?';
/** Words of the answer, on the second page of the PDF. */
export const answerWords = 'one hundred and ninety-three metres';

/** A PDF of one line of text a page, as small as the format allows. */
function pdf(lines: string[]): Buffer {
  const objects: string[] = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    `<< /Type /Pages /Count ${lines.length} /Kids [${lines.map((_, page) => `${4 + 2 * page} 0 R`).join(' ')}] >>`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
  ];
  lines.forEach((line, page) => {
    const content = `BT /F1 12 Tf 40 700 Td (${line}) Tj ET`;
    objects.push(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents ${5 + 2 * page} 0 R /Resources << /Font << /F1 3 0 R >> >> >>`,
      `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    );
  });
  let text = '%PDF-1.4\n';
  const offsets = objects.map((object, index) => {
    const offset = text.length;
    text += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const start = text.length;
  text += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n`;
  text += offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  text += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${start}\n%%EOF\n`;
  return Buffer.from(text, 'latin1');
}

/** Writes the folder; three of its documents can be read, one cannot. */
export async function writeDocuments(folder: string): Promise<void> {
  await mkdir(path.join(folder, "more '#%&[] 山田"), { recursive: true });
  await writeFile(
    path.join(folder, 'bridges.pdf'),
    pdf([
      'The first page is about rivers and the boats that cross them in summer.',
      `The bridge of Kintai has five wooden arches and is ${answerWords} long.`,
    ]),
  );
  await writeFile(path.join(folder, 'tea.md'), '# Tea\n\nGreen tea is brewed with water of eighty degrees.\n');
  await writeFile(
    path.join(folder, "more '#%&[] 山田", 'lighthouse.txt'),
    'The lighthouse of Alexandria was built in the third century before Christ.\n',
  );
  await writeFile(path.join(folder, 'empty.pdf'), '');
}
