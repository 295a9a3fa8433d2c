// A parser that fills V8's heap until V8 ends the process.
process.on('message', () => {
  const kept: number[][] = [];
  for (;;) kept.push(Array.from({ length: 100_000 }, (_, n) => n + Math.random()));
});
