import { expect, it } from "vitest";
import { deviceOf } from "./user-agent.ts";

it("names browser and system of common devices", () => {
  const agents: [string, string | null, string | null][] = [
    ["Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox", "Linux"],
    [
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36 Edg/142.0",
      "Edge",
      "Windows",
    ],
    [
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
      "Safari",
      "iPhone",
    ],
    [
      "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Mobile Safari/537.36",
      "Chrome",
      "Android",
    ],
    ["curl/8.0", null, null],
  ];
  for (const [agent, browser, system] of agents) expect(deviceOf(agent)).toEqual({ browser, system });
  expect(deviceOf(null)).toEqual({ browser: null, system: null });
});
