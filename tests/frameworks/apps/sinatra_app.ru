# A Sinatra application with sessions, and so with rack-protection as it comes.
require "sinatra/base"
require "json"

class App < Sinatra::Base
  enable :sessions
  set :session_secret, "of a test" * 16
  set :environment, :production
  get("/token/") { { token: "none" }.to_json }
  get("/data") { content_type(:json) && "{}" }
  get("/me") { redirect to("/me/") }
  get("/me/") { { user: session[:user] }.to_json }
  post "/login/" do
    session[:user] = params[:user]
    redirect to("/me/"), 303
  end
end

run App
