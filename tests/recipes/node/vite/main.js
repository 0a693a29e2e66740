// RECIPE
document.body.append(JSON.stringify(await response.json()));
