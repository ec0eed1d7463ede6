/**
 * How a hive's Node is started. An agent that runs all day on every machine should take little memory, and has little
 * to do: a young generation of a megabyte instead of sixteen, and one heap of the C library (glibc) for all threads
 * instead of eight for each core, are 15 MB less.
 */
export const frugalFlags = ["--max-semi-space-size=1"] as const;
export const frugalEnvironment = { MALLOC_ARENA_MAX: "1" } as const;
