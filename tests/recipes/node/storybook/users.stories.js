export default { title: "Users" };

export const All = {
  render: () => {
    const shown = document.createElement("p");
    (async () => {
      // RECIPE
      shown.textContent = JSON.stringify(await response.json());
    })();
    return shown;
  },
};
