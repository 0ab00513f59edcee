export type Child = Node | string | number | null | undefined | false;
export type Attributes = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** An element. What comes from elsewhere gets into a page as text and attributes alone, never as markup. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map(nodeOf));
  return element;
}

function nodeOf(child: Node | string | number): Node | string {
  return typeof child === 'number' ? String(child) : child;
}

/** Makes the children of an element what they should be, changing no more than differs: focus, selection and open details stay. */
export function show(parent: Element, ...children: (Node | string | null)[]): void {
  const fresh = document.createElement(parent.tagName);
  fresh.append(...children.filter((child) => child !== null));
  morphChildren(parent, fresh);
}

function morphChildren(old: Element, fresh: Element): void {
  const wanted = [...fresh.childNodes];
  for (const [index, node] of wanted.entries()) {
    const present = old.childNodes[index];
    if (present === undefined) old.append(node);
    else if (!isSameKind(present, node)) present.replaceWith(node);
    else morph(present, node);
  }
  while (old.childNodes.length > wanted.length) old.lastChild?.remove();
}

function isSameKind(a: Node, b: Node): boolean {
  return a.nodeName === b.nodeName && (!(a instanceof HTMLElement && b instanceof HTMLElement) || a.dataset['key'] === b.dataset['key']);
}

function morph(old: Node, fresh: Node): void {
  if (!(old instanceof Element && fresh instanceof Element)) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const name of old.getAttributeNames()) if (!fresh.hasAttribute(name) && name !== 'open') old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  morphChildren(old, fresh);
}
