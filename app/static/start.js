// Starts the page: its module is compiled once and shared with its workers. Where that fails, the page says so.
const own = document.querySelector("script[data-script]").dataset;
const at = (path) => new URL(path, document.baseURI).href;
try {
  // A page in a frame of another site could be made to be clicked unseen.
  if (self !== top) throw new Error("Bootlace does not run inside another page. Open it in a tab of its own.");
  const script = at(own.script);
  const load = () => fetch(at(own.module));
  const compiled = WebAssembly.compileStreaming(load());
  // A server that names another type than application/wasm is no reason to fail.
  const module = await compiled.catch(async () => WebAssembly.compile(await (await load()).arrayBuffer()));
  // A part of the page that is loaded when it is wanted: its list names the files of its build.
  const load_part = async (name) => {
    const list = await fetch(at(`${name}/index.json`), { cache: "no-cache" });
    const files = await list.json();
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: at(`${name}/${files.style}`) });
    const styled = new Promise((resolve, reject) => Object.assign(style, { onload: resolve, onerror: reject }));
    document.head.append(style);
    const part = await import(at(`${name}/${files.script}`));
    await Promise.all([styled, part.default({ module_or_path: at(`${name}/${files.module}`) })]);
    return part;
  };
  const parts = {};
  const part = (name) =>
    (parts[name] ??= load_part(name).catch((error) => {
      delete parts[name];
      throw error;
    }));
  globalThis.bootlace = { script, module, part };
  const page = await import(script);
  await page.default({ module_or_path: module });
} catch (error) {
  document.documentElement.dataset.start = "failed";
  const said = document.getElementById("start-error");
  if (said) said.textContent = String(error);
  throw error;
}
