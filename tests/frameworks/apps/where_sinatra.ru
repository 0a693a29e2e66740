# A Sinatra application that says whether a request is for /account.
require "sinatra/base"

class Where < Sinatra::Base
  set :environment, :production
  get(%r{/account(/.*)?}) { "account" }
  get(/.*/) { "other" }
end

run Where
