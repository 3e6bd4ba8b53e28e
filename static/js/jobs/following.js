// Waiting for a job to end.
import { getJson, wait } from "../base/http.js";

const STEPS_MS = [400, 800, 1500];
const MOST_FAILURES = 8;
const ENDED = new Set(["completed", "completed_with_errors", "failed", "cancelled"]);

/** The job once it has ended; {} when it cannot be fetched several times in a row. */
export async function whenEnded(id, onTurn) {
  let failures = 0;
  for (let turn = 0; failures < MOST_FAILURES; turn += 1) {
    await wait(STEPS_MS[Math.min(turn, STEPS_MS.length - 1)]);
    const job = await getJson(`/api/jobs/${id}/`);
    failures = job ? 0 : failures + 1;
    if (job && ENDED.has(job.status)) return job;
    if (job) onTurn(job.status === "queued");
  }
  return {};
}
