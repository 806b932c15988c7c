/**
 * The part of a browser that signing in across two sites needs: cookies per site, and redirects followed one at a time.
 */

export interface Visit {
  code: number;
  url: URL;
  text: string;
  headers: Headers;
  /** Target of the redirect, if any. */
  next: URL | undefined;
}

export class Browser {
  /** By site, then by name. */
  readonly cookies = new Map<string, Map<string, string>>();

  /** The cookies sent to a site. */
  cookieOf(site: string): string {
    return [...(this.cookies.get(new URL(site).host) ?? [])]
      .map(([name, value]) => `${name}=${value}`)
      .join('; ');
  }

  async visit(address: string | URL, form?: Record<string, string>): Promise<Visit> {
    const url = new URL(address);
    const response = await fetch(url, {
      redirect: 'manual',
      headers: {
        cookie: this.cookieOf(url.href),
        ...(form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
      },
      ...(form ? { method: 'POST', body: new URLSearchParams(form).toString() } : {}),
    });
    const jar = this.cookies.get(url.host) ?? new Map<string, string>();
    this.cookies.set(url.host, jar);
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = ''] = cookie.split(';');
      const at = pair.indexOf('=');
      const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
      if (value === '' || /expires=thu, 01 jan 1970|max-age=0/i.test(cookie)) jar.delete(name);
      else jar.set(name, value);
    }
    const location = response.headers.get('location');
    return {
      code: response.status,
      url,
      text: await response.text(),
      headers: response.headers,
      next: location === null ? undefined : new URL(location, url),
    };
  }

  /** Follows redirects until there are none or `until` holds for the next address, which is then not visited. */
  async follow(visit: Visit, until: (url: URL) => boolean): Promise<Visit> {
    let now = visit;
    for (let hops = 0; now.next && !until(now.next); hops++) {
      if (hops > 10) throw new Error(`sent on and on: ${now.next.href}`);
      now = await this.visit(now.next);
    }
    return now;
  }
}
