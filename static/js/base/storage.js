// What this browser remembers. Storage may be blocked or full: then nothing is remembered, and nothing fails.

class Storage {
  constructor(area) {
    this.area = area;
  }

  get(name) {
    try {
      return window[this.area].getItem(name);
    } catch {
      return null;
    }
  }

  set(name, text) {
    try {
      window[this.area].setItem(name, text);
    } catch {
      // It lasts for this page then.
    }
  }

  getJson(name) {
    try {
      return JSON.parse(this.get(name));
    } catch {
      return null;
    }
  }

  setJson(name, value) {
    this.set(name, JSON.stringify(value));
  }
}

export const local = new Storage("localStorage");
export const session = new Storage("sessionStorage");
