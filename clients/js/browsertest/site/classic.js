// Adds the script tag of the documentation to the page, with the address of this test's service.

const given = new URLSearchParams(location.search)
const script = document.createElement('script')
script.src = `${given.get('eye')}/eye.js`
script.integrity = given.get('integrity')
script.crossOrigin = 'anonymous'
script.async = true
script.dataset.key = given.get('key')
script.dataset.pages = 'false'
script.onload = script.onerror = (event) => {
  window.loaded = event.type
}
document.head.append(script)
