"""Prompts of the cases."""


def ids(count, vocabulary, seed):
    """`count` ids below `vocabulary`, the same for the same seed."""
    state, result = seed, []
    for _ in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        result.append(state * vocabulary // 2**32)
    return result
