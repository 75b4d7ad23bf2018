//! The table of verbs. It feeds the command line, the shell, their help, completion and the manual.

use super::{
    Names, Verb, audit, cat, cd, copy, delete, df, events, exit, forget, get, help, info, lcd,
    list, lls, lpwd, mirror, mkdir, purge, pwd, rename, restore, rm, send, share, token, trash,
    undo, uploads, verify, versions,
};

/// Every verb, in the order of the help.
pub static VERBS: &[Verb] = &[
    Verb::new::<list::List>("list", &["listar", "ls"], "verb-list")
        .on_command_line("HOST[:PORT]/PATH…")
        .in_shell("shell-usage-list", Names::Remote),
    Verb::new::<send::Send>("send", &["enviar", "put"], "verb-send")
        .on_command_line("FILE… HOST[:PORT]/PATH")
        .in_shell("shell-usage-send", Names::Local),
    Verb::new::<get::Get>("get", &["baixar"], "verb-get")
        .on_command_line("HOST[:PORT]/NAME… [FOLDER]")
        .in_shell("shell-usage-get", Names::Remote),
    Verb::new::<mirror::Mirror>("mirror", &["espelhar", "sync"], "verb-mirror")
        .on_command_line("FOLDER HOST[:PORT]/PATH | HOST[:PORT]/PATH FOLDER")
        .in_shell("shell-usage-mirror", Names::LocalFolder),
    Verb::new::<delete::Delete>("delete", &["deletar", "apagar"], "verb-delete")
        .on_command_line("HOST[:PORT]/NAME [PASSWORD]")
        .in_shell("shell-usage-delete", Names::Remote)
        .secret_after(1),
    Verb::new::<rm::Rm>("rm", &["remover"], "verb-rm")
        .portuguese("rm")
        .on_command_line("HOST[:PORT]/NAME…")
        .in_shell("shell-usage-rm", Names::Remote),
    Verb::new::<undo::Undo>("undo", &["desfazer"], "verb-undo")
        .on_command_line("HOST[:PORT]")
        .in_shell("shell-usage-none", Names::None),
    Verb::new::<trash::List>("trash", &["lixeira"], "verb-trash")
        .on_command_line("HOST[:PORT]/PATH")
        .in_shell("shell-usage-trash", Names::RemoteFolder),
    Verb::new::<restore::Restore>("restore", &["restaurar"], "verb-restore")
        .on_command_line("HOST[:PORT]/NAME")
        .in_shell("shell-usage-restore", Names::Remote),
    Verb::new::<versions::Versions>("versions", &["versões", "versoes"], "verb-versions")
        .on_command_line("HOST[:PORT]/NAME")
        .in_shell("shell-usage-versions", Names::Remote),
    Verb::new::<purge::Purge>("purge", &["esvaziar"], "verb-purge")
        .on_command_line("HOST[:PORT]/PATH")
        .in_shell("shell-usage-trash", Names::RemoteFolder),
    Verb::new::<verify::Verify>("verify", &["verificar"], "verb-verify")
        .on_command_line("HOST[:PORT] | FOLDER")
        .in_shell("shell-usage-none", Names::None),
    Verb::new::<rename::Move>("move", &["mover", "mv", "rename", "renomear"], "verb-move")
        .on_command_line("HOST[:PORT]/NAME… HOST[:PORT]/PATH")
        .in_shell("shell-usage-move", Names::Remote),
    Verb::new::<copy::Copy>("copy", &["copiar", "cp"], "verb-copy")
        .on_command_line("HOST[:PORT]/NAME… HOST[:PORT]/PATH")
        .in_shell("shell-usage-move", Names::Remote),
    Verb::new::<mkdir::Mkdir>("mkdir", &["pasta"], "verb-mkdir")
        .on_command_line("HOST[:PORT]/FOLDER…")
        .in_shell("shell-usage-mkdir", Names::RemoteFolder),
    Verb::new::<info::Info>("info", &["stat"], "verb-info")
        .on_command_line("HOST[:PORT]/NAME…")
        .in_shell("shell-usage-info", Names::Remote)
        .portuguese("info"),
    Verb::new::<uploads::Uploads>("uploads", &["envios"], "verb-uploads")
        .on_command_line("HOST[:PORT]")
        .in_shell("shell-usage-none", Names::None),
    Verb::new::<share::Share>("share", &["compartilhar"], "verb-share")
        .on_command_line("HOST[:PORT]/PATH | FOLDER/NAME")
        .in_shell("shell-usage-share", Names::Remote),
    Verb::new::<token::Token>("token", &[], "verb-token")
        .on_command_line("add|list|remove HOST[:PORT]|FOLDER [NAME]")
        .in_shell("shell-usage-token", Names::None),
    Verb::new::<audit::Audit>("audit", &["auditoria"], "verb-audit")
        .on_command_line("HOST[:PORT] | FOLDER")
        .in_shell("shell-usage-none", Names::None),
    Verb::new::<cat::Cat>("cat", &["ver"], "verb-cat")
        .on_command_line("HOST[:PORT]/NAME…")
        .in_shell("shell-usage-cat", Names::Remote),
    Verb::new::<df::Df>("df", &["espaço", "espaco", "space"], "verb-df")
        .on_command_line("HOST[:PORT]")
        .in_shell("shell-usage-none", Names::None),
    Verb::new::<forget::Forget>("forget", &["esquecer"], "verb-forget")
        .on_command_line("HOST[:PORT]"),
    Verb::new::<cd::Cd>("cd", &["entrar"], "verb-cd")
        .in_shell("shell-usage-cd", Names::RemoteFolder),
    Verb::new::<pwd::Pwd>("pwd", &["onde"], "verb-pwd").in_shell("shell-usage-none", Names::None),
    Verb::new::<lcd::Lcd>("lcd", &["local"], "verb-lcd")
        .in_shell("shell-usage-lcd", Names::LocalFolder),
    Verb::new::<lpwd::Lpwd>("lpwd", &[], "verb-lpwd").in_shell("shell-usage-none", Names::None),
    Verb::new::<lls::Lls>("lls", &[], "verb-lls").in_shell("shell-usage-lls", Names::Local),
    Verb::new::<events::Events>("events", &["eventos"], "verb-events")
        .in_shell("shell-usage-events", Names::OnOff),
    Verb::new::<help::Help>("help", &["ajuda", "?"], "verb-help")
        .in_shell("shell-usage-help", Names::Verb),
    Verb::new::<exit::Exit>("exit", &["sair", "quit"], "verb-exit")
        .in_shell("shell-usage-none", Names::None),
];
