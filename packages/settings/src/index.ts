export type { SettingDefinition, SettingTable, SettingValues } from "./define.ts";
export { externalServersOf, type ExternalServersSetting, type NamedServer } from "./external-servers.ts";
export { hiveSettings } from "./hive.ts";
export {
  describeSettings,
  loadSettings,
  SettingsError,
  type LoadedSettings,
  type LoadOptions,
  type SettingSource,
} from "./load.ts";
export { queenSettings } from "./queen.ts";
