/** The version of this package, which is also that of the crate that an engine of the app's own is built with. */
export const release = "0.1.0";
