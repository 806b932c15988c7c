/** Sends the answer to a message without delaying that message's acknowledgement for long. */
import { reasonOf } from '../../schemas/errors.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Link } from './link.ts';

/**
 * Publishes an answer. Resolves when the broker has it, when that failed (`failed` is called), or after a while: the
 * sender can ask again, but a message that isn't acknowledged comes again forever.
 */
export async function sendAnswer(
  link: Link,
  topic: string,
  answer: object,
  failed: (reason: string) => void,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const sent = link
    .publish(topic, JSON.stringify(answer), { qos: 1, retain: false })
    .catch((error: unknown) => failed(reasonOf(error)));
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CENTER_LIMITS.answer_wait_ms_max);
  });
  await Promise.race([sent, late]);
  clearTimeout(timer);
}
