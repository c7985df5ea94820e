/**
 * How these files prove what a type is. A file that compiles has passed; each claim has a twin below
 * it that must not compile.
 */

/** True only for the very same type. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles if the claim is true. */
export declare function proven<_Claim extends true>(): void;
