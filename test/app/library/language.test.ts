import { describe, expect, it } from 'vitest';
import { languageOf } from '../../../app/library/language.ts';

const texts: Record<string, string> = {
  en: 'The tenant shall pay the rent on the first day of each month, and the landlord is to keep the house in repair.',
  fr: 'Le locataire paie le loyer le premier jour de chaque mois et le bailleur entretient la maison pour lui.',
  it: 'Il conduttore paga il canone il primo giorno di ogni mese e il locatore mantiene la casa in buono stato.',
  de: 'Der Mieter zahlt die Miete am ersten Tag des Monats und der Vermieter hält das Haus in gutem Zustand.',
  es: 'El inquilino paga la renta el primer día de cada mes y el propietario mantiene la casa en buen estado para él.',
  ja: '賃借人は毎月一日に賃料を支払い、賃貸人は建物を良好な状態に維持しなければならない。契約は二年ごとに更新されます。',
  zh: '承租人应于每月一日支付租金，出租人应保持房屋良好状态。本合同每两年续签一次，双方应当遵守本合同的全部条款和约定。',
  ko: '임차인은 매월 첫째 날에 임대료를 지불하고 임대인은 건물을 양호한 상태로 유지하여야 한다. 계약은 이 년마다 갱신된다.',
};

describe('what a text is written in', () => {
  it.each(Object.entries(texts))('%s', (language, text) => {
    expect(languageOf(text)).toBe(language);
  });

  it('is not said of what is no running text', () => {
    expect(languageOf('')).toBe(null);
    expect(languageOf('Budget | 2024 | 2025\n12 | 13 | 14')).toBe(null);
    expect(languageOf('Bergen Oslo Trondheim Stavanger Tromsø Drammen Fredrikstad Kristiansand Sandnes Ålesund')).toBe(
      null,
    );
    expect(languageOf(`${texts.en} ${texts.fr}`)).toBe(null);
  });
});
