# A Rails application that says whether a request is for /account.
require "rails"
require "action_controller/railtie"

class Where < Rails::Application
  config.load_defaults 6.1
  config.eager_load = false
  config.secret_key_base = "of a test" * 16
  config.logger = Logger.new($stderr, level: Logger::FATAL)
  said = ->(word) { ->(_) { [200, { "Content-Type" => "text/plain" }, [word]] } }
  routes.append do
    match "/account(/*rest)", to: said["account"], via: :all, format: false
    match "/(*rest)", to: said["other"], via: :all, format: false
  end
end

Where.initialize!
run Where
