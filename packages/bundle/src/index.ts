/** Makes self-contained trees of the hive and its workers for a machine of any supported platform. */
export {};
