//! The page on a phone: nothing is cut off, and everything can be touched.

use serde_json::{Value, json};
use tests::chat::{ChatClient, ChatServer};

use crate::browsers;
use crate::page::{PHONE, Page};

/// What does not fit the width of the page, and controls that cannot be touched.
const UNFIT: &str = r"
    const width = document.documentElement.clientWidth;
    const name = (element) => `${element.localName}#${element.id}.${element.className}`;
    const unfit = [];
    for (const scrolling of [document.documentElement, document.body, document.querySelector('#messages')]) {
        if (scrolling.scrollWidth > scrolling.clientWidth) unfit.push(`${name(scrolling)} scrolls sideways`);
    }
    const dialog = document.querySelector('dialog[open]');
    const part = dialog ?? document.querySelector('.sidebar.open, .people.open') ?? document.body;
    for (const element of part.querySelectorAll('*')) {
        if (!element.checkVisibility({ visibilityProperty: true }) || element.closest('.sr, svg, .follows')) continue;
        const { left, right, width: wide, height } = element.getBoundingClientRect();
        let box = element.parentElement;
        while (box !== document.body && getComputedStyle(box).overflowX !== 'hidden') box = box.parentElement;
        const isCut = box !== document.body && box.getBoundingClientRect().right <= width;
        if (!isCut && (left < -0.5 || right > width + 0.5)) unfit.push(`${name(element)} from ${left} to ${right}`);
        if (!element.matches('button, input, textarea')) continue;
        element.scrollIntoView({ block: 'nearest' });
        const at = element.getBoundingClientRect();
        const hit = document.elementFromPoint(at.left + at.width / 2, at.top + at.height / 2);
        if (!element.contains(hit) && !element.labels?.[0]?.contains(hit)) unfit.push(`${name(element)} is under ${hit && name(hit)}`);
        const target = element.labels?.length && element.type === 'checkbox' ? element.labels[0].getBoundingClientRect() : at;
        if (target.height < 24 || target.width < 24) unfit.push(`${name(element)} is ${target.width} by ${target.height}`);
    }
    return unfit";

async fn fits(page: &Page<'_>, state: &str) {
    // What slides has come to rest.
    page.picture(&format!("phone-fits-{state}")).await;
    assert_eq!(page.run(UNFIT, Vec::<Value>::new()).await, json!([]), "{state}");
}

#[tokio::test]
async fn nothing_overflows_a_width_of_375_and_every_control_can_be_touched() {
    let Some((driver, _guard)) = browsers().await else { return };
    let mut chat = ChatServer::start();
    let (long_user, long_room) = ("W".repeat(64), "M".repeat(50));
    let mut other = ChatClient::connect(&chat, &long_user).await;
    other.join(&long_room).await;
    other.post(&long_room, &"unbroken".repeat(100)).await;
    other.post(&long_room, "short").await;

    let page = Page::open(&driver, "alice", PHONE, &chat.url("/")).await;
    page.until("#enter", &["Enter"]).await;
    fits(&page, "entrance").await;
    page.pictures("phone-entrance").await;
    page.go(&chat.url(&format!("/?user={}", "w".repeat(64)))).await;
    page.until("#state", &["online"]).await;
    page.until("#nothing-title", &["Nothing here yet"]).await;
    fits(&page, "empty").await;
    page.click("#open-rooms").await;
    page.until("#rooms .name", &["lobby", &long_room]).await;
    fits(&page, "conversations").await;
    page.click(&format!("#rooms [data-key='#{long_room}']")).await;
    page.until("#current-room", &[&long_room]).await;
    page.until("#messages .text", &[&"unbroken".repeat(100), "short"]).await;
    other.expect("user_joined_room").await;
    other.send("typing_start", json!({ "room": long_room })).await;
    page.until("#typing", &[&format!("{long_user} is typing…")]).await;
    fits(&page, "room").await;
    page.pictures("phone-room").await;
    page.click("#open-members").await;
    page.until_there("#members [data-key]").await;
    fits(&page, "members").await;
    page.pictures("phone-members").await;
    page.click(&format!("#members [data-key='{long_user}']")).await;
    page.until("#current-room", &[&long_user]).await;
    page.write("#text", &"a long text that needs lines\n".repeat(20)).await;
    fits(&page, "private").await;

    page.click("#open-rooms").await;
    page.write("#new-room", &format!("{}x", "M".repeat(49))).await;
    page.click("#new-room-private").await;
    page.click("#create-room").await;
    page.until("#about", &["Private room · 1 member"]).await;
    fits(&page, "own-room").await;
    page.click("#invite").await;
    page.until_there("#invitation[open]").await;
    fits(&page, "invitation").await;
    page.write("#invite-user", &long_user).await;
    page.click("#send-invite").await;
    page.until_there("#notice:not([hidden])").await;
    fits(&page, "notice").await;
    assert!(chat.stop().success());
    page.until_there("#state[data-state='reconnecting']").await;
    fits(&page, "reconnecting").await;
    assert_eq!(page.heard().await, json!([]));
}
