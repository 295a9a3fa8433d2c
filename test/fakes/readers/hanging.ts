// A parser that never comes back: it does not even let timers run.
process.on('message', () => {
  for (;;) Math.random();
});
