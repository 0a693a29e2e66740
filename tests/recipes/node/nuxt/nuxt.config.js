export default {
  telemetry: false,
  // RECIPE
};
