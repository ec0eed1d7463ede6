/** What a person needs to know when the queen has started. */
export interface StartReport {
  readonly dashboardUrl: string;
  /** With `/v1`: what apps are given as base URL. */
  readonly apiUrl: string;
  /** Null once there is an administrator. */
  readonly setupCode: string | null;
  readonly logFile: string;
  /** All of it, for the terminal. */
  readonly text: string;
}

export function startReport(facts: {
  version: string;
  /** How this machine reaches the queen. */
  localUrl: string;
  /** How others reach it; null when nobody else can. */
  networkUrl: string | null;
  setupCode: string | null;
  logFile: string;
}): StartReport {
  const { version, localUrl, networkUrl, setupCode, logFile } = facts;
  const apiUrl = `${networkUrl ?? localUrl}/v1`;
  const body = '{"model":"bee-tiny","messages":[{"role":"user","content":"Hello"}]}';
  const lines = [
    `rbee ${version} is running.`,
    "",
    `  Dashboard    ${localUrl}${networkUrl === null ? "" : `   on your network: ${networkUrl}`}`,
    `  API          ${apiUrl}   (OpenAI's protocol)`,
    ...(setupCode === null
      ? []
      : [`  Setup code   ${setupCode}   (asked for when the dashboard is opened on another machine)`]),
    `  Logs         ${logFile}`,
    "",
    "Once you have an API key (dashboard, Apps):",
    "",
    `  curl ${apiUrl}/chat/completions -H "Authorization: Bearer $RBEE_API_KEY" \\`,
    `    -H "content-type: application/json" -d '${body}'`,
    "",
    "Ctrl-C stops everything.",
    "",
  ];
  return { dashboardUrl: localUrl, apiUrl, setupCode, logFile, text: lines.join("\n") };
}
