/** A URL without the user and password that may be in it, and the header that says them instead: `fetch` refuses the former, and no message must show them. */
export function withoutLogin(text: string): { readonly url: URL; readonly headers: Readonly<Record<string, string>> } {
  const url = new URL(text);
  const { username, password } = url;
  url.username = '';
  url.password = '';
  if (username === '' && password === '') return { url, headers: {} };
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { url, headers: { authorization: `Basic ${Buffer.from(login).toString('base64')}` } };
}
