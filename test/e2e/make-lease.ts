/**
 * Makes the sample lease, a PDF of two pages in our own words, with the browser's own printing:
 *
 *     node_modules/.bin/node test/e2e/make-lease.ts       (needs Chromium)
 */
import path from 'node:path';
import { chromium } from 'playwright-core';

const out = path.join(import.meta.dirname, '..', '..', 'app', 'welcome', 'samples', 'Lease, 12 Harbour Street.pdf');

const sections: [string, string[]][] = [
  [
    'The flat',
    [
      'The landlady lets to the tenant the flat on the second floor of 12 Harbour Street. It has three rooms, a kitchen and a bathroom, 68 square metres in all, and the cellar room number 5.',
      'Four keys to the front door, two to the flat and one to the cellar are handed over. A key that is lost is to be replaced at the tenant’s cost.',
    ],
  ],
  [
    'The term',
    ['The lease begins on 1 June and has no fixed end. The flat is handed over on that day at ten in the morning.'],
  ],
  [
    'The rent',
    [
      'The rent is 940 euros a month. It is due on the third working day of each month, in advance.',
      'To this come 165 euros a month for heating, water and the cleaning of the stairs. What these really cost is reckoned once a year, by the end of March, and the difference is paid or given back within thirty days.',
      'The rent may be raised once every fifteen months, by no more than the index of consumer prices has risen in that time. A rise is announced in writing three months before.',
    ],
  ],
  [
    'The deposit',
    [
      'The tenant pays a deposit of 1,880 euros, which is two rents, in two equal parts: the first before the keys are handed over, the second with the rent of July. The landlady keeps it in an account of its own and gives it back, with its interest, within two months of the end of the lease.',
    ],
  ],
  [
    'Repairs',
    [
      'The landlady keeps the building, the heating and the pipes in order. The tenant tells her of damage without delay.',
      'Small repairs, up to 75 euros each and 300 euros a year, are paid by the tenant. What costs more is paid by the landlady, unless the tenant has caused it.',
    ],
  ],
  [
    'Pets, guests and noise',
    [
      'A cat or a small dog may be kept; the landlady is to be told. Other animals need her consent in writing.',
      'Guests may stay for up to six weeks. The flat may not be let to travellers by the day.',
      'The hours of rest are from ten in the evening to seven in the morning. Musical instruments may be played for two hours a day outside these hours.',
    ],
  ],
  [
    'Notice',
    [
      'The tenant may end the lease at any time with a notice of three months to the end of a month. The landlady’s notice is three months in the first five years, and six months after that. Notice is given by letter; an e-mail is not enough.',
    ],
  ],
  [
    'Moving out',
    [
      'The flat is given back swept, with all its keys. Walls are to be painted white again if they were painted in another colour. A record of its state is made and signed by both when the keys change hands.',
    ],
  ],
];

const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Lease, 12 Harbour Street</title><style>
@page { size: A4; margin: 24mm 26mm; }
body { font: 11.5pt/1.55 "DejaVu Serif", serif; color: #1f1d1a; }
h1 { font-size: 19pt; font-weight: normal; margin: 0 0 2mm; }
.note { color: #5c574e; font-size: 10pt; margin: 0 0 9mm; }
h2 { font-size: 12.5pt; margin: 6mm 0 1.5mm; break-after: avoid; }
p { margin: 0 0 2.5mm; orphans: 3; widows: 3; }
</style></head><body><h1>Lease of the flat at 12 Harbour Street</h1>
<p class="note">This house does not exist: the lease was written for trying Quoth. It is no model for a real one.</p>
${sections.map(([title, texts], index) => `<h2>§ ${index + 1} ${title}</h2>${texts.map((text) => `<p>${text}</p>`).join('')}`).join('')}
</body></html>`;

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
const page = await browser.newPage();
await page.setContent(html);
await page.pdf({ path: out, preferCSSPageSize: true });
await browser.close();
