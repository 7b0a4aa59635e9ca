/** The look of all pages, for light and dark screens and for phones. Change the variables to make it yours. */
export const style = `
:root { color-scheme: light dark; --text: #16181d; --muted: #5a616e; --card: #fff; --back: #f2f4f7; --line: #dde1e7; --field: #868e9b; --accent: #2350c8; --on-accent: #fff; --problem: #b3261e }
@media (prefers-color-scheme: dark) { :root { --text: #eceef2; --muted: #a7afbc; --card: #1a1d23; --back: #101216; --line: #333944; --field: #737c8b; --accent: #9db8ff; --on-accent: #0d1530; --problem: #ffb4ab } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem 1rem; background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
main { width: 100%; max-width: 26rem; padding: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: 1rem; box-shadow: 0 .5rem 1.5rem rgb(0 0 0 / .06) }
@media (max-width: 30rem) {
  body { place-items: stretch; padding: 0; background: var(--card) }
  main { padding: 2rem 1.25rem; border: 0; border-radius: 0; box-shadow: none }
}
h1 { margin: 0; font-size: 1.5rem; font-weight: 650; line-height: 1.25; letter-spacing: -.015em }
p { margin: .75rem 0 0 }
h1 + .muted { margin-top: .375rem }
a { color: var(--accent) }
.muted, small, footer { color: var(--muted); font-size: .875rem }
.mark { display: grid; place-items: center; flex: none; width: 3rem; height: 3rem; margin-bottom: 1.25rem; border-radius: .875rem; background: color-mix(in srgb, var(--accent) 14%, transparent); color: var(--accent); font-size: 1.375rem; font-weight: 700 }
.mark.person { border-radius: 50% }
form { margin: 0 }
label.field { display: block; margin-top: 1.25rem; font-weight: 600 }
.field input { display: block; width: 100%; min-height: 3rem; margin-top: .375rem; padding: .5rem .875rem; border: 1px solid var(--field); border-radius: .625rem; background: var(--card); color: inherit; font: inherit; font-weight: 400 }
.field [aria-invalid] { border-color: var(--problem) }
[role=alert], .warning { margin-top: 1.25rem; padding: .75rem .875rem; border-radius: .625rem; background: color-mix(in srgb, var(--problem) 12%, transparent); color: var(--problem); font-weight: 500 }
button, .button { display: flex; justify-content: center; align-items: center; width: 100%; min-height: 3rem; padding: .5rem 1rem; border: 1px solid var(--field); border-radius: .625rem; background: none; color: inherit; font: inherit; font-weight: 600; text-decoration: none; cursor: pointer }
.main { background: var(--accent); border-color: var(--accent); color: var(--on-accent) }
button:hover, .button:hover { background: color-mix(in srgb, var(--accent) 10%, transparent) }
.main:hover { background: color-mix(in srgb, var(--accent) 88%, var(--text)) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
input:focus-visible { outline-offset: -1px }
.stack { flex-direction: column }
.buttons { display: flex; gap: .75rem; margin-top: 1.5rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .5rem 1rem; margin: 1.25rem 0 0 }
dt { color: var(--muted) }
dd { margin: 0; grid-column: 2; font-weight: 600 }
dd small { display: block; font-weight: 400 }
fieldset { margin: 1.5rem 0 0; padding: 0; border: 0 }
legend { padding: 0; font-weight: 600 }
.scope { display: flex; gap: .75rem; align-items: center; min-height: 3rem; padding: .625rem 0; border-bottom: 1px solid var(--line) }
.scope:last-child { border-bottom: 0 }
.scope input { flex: none; width: 1.25rem; height: 1.25rem; margin: 0; accent-color: var(--accent) }
.account { display: flex; gap: .875rem; align-items: center; justify-content: start; margin-top: 1.25rem; padding: .75rem .875rem; border: 1px solid var(--line); border-radius: .625rem; font-weight: 400; text-align: start }
button.account { border-color: var(--field) }
.account .mark { width: 2.5rem; height: 2.5rem; margin: 0; font-size: 1rem }
.account strong, .account small { display: block; line-height: 1.35 }
.account form { margin-inline-start: auto }
form + form .account { margin-top: .75rem }
.link { width: auto; min-height: 2.5rem; padding: 0 .5rem; border: 0; color: var(--accent); font-size: .875rem }
footer { margin-top: 1.5rem; padding-top: 1rem; border-top: 1px solid var(--line) }
`;
