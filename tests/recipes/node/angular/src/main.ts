import { HttpClient, provideHttpClient } from "@angular/common/http";
import { Component, inject, provideZonelessChangeDetection, signal } from "@angular/core";
import { bootstrapApplication } from "@angular/platform-browser";
import { environment } from "./environments/environment";

@Component({ selector: "app-root", template: "{{ users() }}" })
class Page {
  http = inject(HttpClient);
  users = signal("");

  constructor() {
    const found =
      // RECIPE
    found.subscribe((users) => this.users.set(JSON.stringify(users)));
  }
}

bootstrapApplication(Page, { providers: [provideZonelessChangeDetection(), provideHttpClient()] });
