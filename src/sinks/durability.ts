/**
 * When a record counts as written.
 *
 * - `commit`: when it is on stable storage (`fdatasync`); everyone who waits shares one call. Survives a power cut.
 * - `interval`: when the kernel has it; stable storage follows within 100 ms. Survives `kill -9`.
 * - `os`: when the kernel has it. Survives `kill -9`, not a power cut.
 */
export type Durability = 'commit' | 'interval' | 'os'
