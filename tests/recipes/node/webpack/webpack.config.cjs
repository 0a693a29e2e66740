const HtmlWebpackPlugin = require("html-webpack-plugin");
const webpack = require("webpack");

module.exports = {
  mode: "development",
  entry: "./main.js",
  experiments: { topLevelAwait: true },
  plugins: [
    new HtmlWebpackPlugin(),
    // RECIPE
  ],
};
