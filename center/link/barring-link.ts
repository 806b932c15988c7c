/** A link that retains nothing for removed printers: the next printer with that id would receive it. */
import { PRINTERS_PREFIX } from '../../schemas/topics.ts';
import type { Link } from './link.ts';

function printerOf(topic: string): string | undefined {
  if (!topic.startsWith(PRINTERS_PREFIX)) return undefined;
  const end = topic.indexOf('/', PRINTERS_PREFIX.length);
  return end < 0 ? undefined : topic.slice(PRINTERS_PREFIX.length, end);
}

/** Wraps a link: no retained documents for printers where `isRemoved` is true. Clearing a topic is always allowed. */
export function barringLink(link: Link, isRemoved: (printer: string) => boolean): Link {
  const { heard, forget } = link;
  return {
    start: (handler) => link.start(handler),
    stop: () => link.stop(),
    publish(topic, payload, options) {
      if (options.retain && payload.length > 0) {
        const printer = printerOf(topic);
        if (printer !== undefined && isRemoved(printer)) return Promise.resolve();
      }
      return link.publish(topic, payload, options);
    },
    ...(heard ? { heard: (topic: string) => heard.call(link, topic) } : {}),
    ...(forget ? { forget: (printer: string) => forget.call(link, printer) } : {}),
  };
}
