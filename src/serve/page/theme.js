// Light or dark: what the system says, unless a person chose. Runs before anything is painted, so that nothing
// flashes; the button is in controls.js.
const chosen = (() => {
  try {
    return localStorage.getItem('theme');
  } catch {
    return null;
  }
})();
if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
