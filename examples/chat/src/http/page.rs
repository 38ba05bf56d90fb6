//! The page at `/`: static files, compiled into the program.

use agentcore::axum::Router;
use agentcore::axum::http::header::CONTENT_TYPE;
use agentcore::axum::middleware::map_response;
use agentcore::axum::routing::get;

use super::headers;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The path, content type and content of each file.
const FILES: [(&str, &str, &str); 21] = [
    ("/", HTML, include_str!("../../static/index.html")),
    ("/chat.css", CSS, include_str!("../../static/chat.css")),
    ("/icon.svg", SVG, include_str!("../../static/icon.svg")),
    ("/chat.js", SCRIPT, include_str!("../../static/chat.js")),
    ("/composer.js", SCRIPT, include_str!("../../static/composer.js")),
    ("/connection.js", SCRIPT, include_str!("../../static/connection.js")),
    ("/conversation.js", SCRIPT, include_str!("../../static/conversation.js")),
    ("/elements.js", SCRIPT, include_str!("../../static/elements.js")),
    ("/error-text.js", SCRIPT, include_str!("../../static/error-text.js")),
    ("/events.js", SCRIPT, include_str!("../../static/events.js")),
    ("/message-list.js", SCRIPT, include_str!("../../static/message-list.js")),
    ("/messages.js", SCRIPT, include_str!("../../static/messages.js")),
    ("/names.js", SCRIPT, include_str!("../../static/names.js")),
    ("/navigation.js", SCRIPT, include_str!("../../static/navigation.js")),
    ("/render.js", SCRIPT, include_str!("../../static/render.js")),
    ("/rooms.js", SCRIPT, include_str!("../../static/rooms.js")),
    ("/session.js", SCRIPT, include_str!("../../static/session.js")),
    ("/start.js", SCRIPT, include_str!("../../static/start.js")),
    ("/storage.js", SCRIPT, include_str!("../../static/storage.js")),
    ("/token.js", SCRIPT, include_str!("../../static/token.js")),
    ("/view.js", SCRIPT, include_str!("../../static/view.js")),
];

/// Returns a route for each file.
pub(crate) fn routes() -> Router {
    let serve = |router: Router, (path, content_type, text)| {
        router.route(path, get(move || async move { ([(CONTENT_TYPE, content_type)], text) }))
    };
    FILES.into_iter().fold(Router::new(), serve).layer(map_response(headers::add_security_headers))
}
