import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ticket } from '../../app/contract/types.ts';
import { createTickets } from '../../main/tickets.ts';

const hourMs = 60 * 60 * 1000;

describe('tickets', () => {
  it('stand for the path they were issued for, as often as asked', () => {
    const tickets = createTickets({ randomBytes, nowMs: () => 0 });
    const one = tickets.issue('/home/山田 太郎/report.pdf');
    expect(tickets.redeem(one)).toBe('/home/山田 太郎/report.pdf');
    expect(tickets.redeem(one)).toBe('/home/山田 太郎/report.pdf');
  });

  it('are of the contract’s form, all different, and tell nothing of the path', () => {
    const tickets = createTickets({ randomBytes, nowMs: () => 0 });
    const issued = Array.from({ length: 100 }, () => tickets.issue('/etc/passwd'));
    expect(new Set(issued).size).toBe(100);
    for (const one of issued) {
      expect(ticket.safeParse(one).success).toBe(true);
      expect(Buffer.from(one, 'base64url').length * 8).toBeGreaterThanOrEqual(128);
      expect(Buffer.from(one, 'base64url').toString('latin1')).not.toContain('passwd');
    }
  });

  it('are worth nothing after their time, in another profile, or when made up', () => {
    let nowMs = 0;
    const tickets = createTickets({ randomBytes, nowMs: () => nowMs });
    const one = tickets.issue('/a');
    expect(createTickets({ randomBytes, nowMs: () => 0 }).redeem(one)).toBeUndefined();
    expect(tickets.redeem('A'.repeat(32))).toBeUndefined();
    expect(tickets.redeem('__proto__')).toBeUndefined();
    nowMs = hourMs;
    expect(tickets.redeem(one)).toBeUndefined();
  });

  it('are not issued for a relative path', () => {
    const tickets = createTickets({ randomBytes, nowMs: () => 0 });
    expect(() => tickets.issue('../secret')).toThrow(TypeError);
  });
});
