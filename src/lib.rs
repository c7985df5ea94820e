//! Event sourcing for the browser.
