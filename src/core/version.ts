/** The version of this package, as `log_open` records it; a test holds it to package.json. */
export const VERSION: string = '0.1.0'
