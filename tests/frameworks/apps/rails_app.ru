# A Rails application in one file, with the defaults of Rails 6.1 and the names that it answers to.
require "rails"
require "action_controller/railtie"

class App < Rails::Application
  config.load_defaults 6.1
  config.eager_load = false
  config.secret_key_base = "of a test" * 16
  config.hosts = ["127.0.0.1"]
  config.force_ssl = ENV.key?("HTTPS_ONLY")
  config.logger = Logger.new($stderr, level: Logger::WARN)
  routes.append do
    get "/token", to: "pages#token"
    get "/me", to: "pages#me", as: :me
    post "/login", to: "pages#login"
  end
end

App.initialize!

class PagesController < ActionController::Base
  protect_from_forgery with: :exception

  def token = render(json: { token: form_authenticity_token })

  def me
    return redirect_to(me_url(trailing_slash: true)) unless request.original_fullpath.end_with?("/")

    render json: { user: session[:user] }
  end

  def login
    session[:user] = params[:user]
    redirect_to me_url(trailing_slash: true), status: 303
  end
end

run App
