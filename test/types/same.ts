type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles only where the two types are one and the same, `any` and optional members included. */
export function same<A, B>(..._proof: Same<A, B> extends true ? [] : [never]): void {
  // There is nothing to do: the compiler has done it.
}
