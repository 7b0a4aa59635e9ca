/** The version of this server: that of package.json, which would be larger than all of this in the upload. */
export const VERSION = "0.5.0";
