import packageJson from "../package.json" with { type: "json" };

/** The version of this hive, as it is told to the queen. */
export const version: string = packageJson.version;
