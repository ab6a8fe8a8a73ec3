import{S as e,_ as t,a as n,b as r,c as i,d as a,g as o,h as s,i as c,l,n as u,o as d,s as f,v as p,x as m,y as h}from"./page-DhZ0cEt8.js";var g=e=>({settings:()=>e(`alerts`),change:t=>e(`alerts/set`,{...t}),test:async()=>(await e(`alerts/test`)).deliveries}),_=`/zeroconf-ai`,v=class{constructor(e){this.hass=e,this.settings=`/config/integrations/integration/zeroconf_ai`,this.can={arrange:!0,records:!0},this.alerts=g((e,t)=>this.ask(e,t)),this.routing=d((e,t)=>this.ask(e,t)),this.finding=i((e,t)=>this.ask(e,t),async e=>{let t=await this.hass.connection.subscribeMessage(e,{type:`zeroconf_ai/discovered`});return()=>void t()}),this.chat=new l(e,(e,t)=>this.ask(e,t))}get isAdmin(){return this.hass.user.is_admin}live(e,t){return s(this.hass.connection,{type:`zeroconf_ai/live`},e,t)}usage(e,t,n){return this.ask(`usage`,{start:e,end:t,group_by:n})}requests(e,t){return this.ask(`requests`,{...e,...t===null?{}:{after:t}})}keys(){return this.ask(`keys`)}createKey(e){return this.ask(`keys/create`,{name:e})}enableKey(e,t){return this.ask(`keys/enable`,{key_id:e,enabled:t})}rotateKey(e){return this.ask(`keys/rotate`,{key_id:e})}revokeKey(e){return this.ask(`keys/revoke`,{key_id:e})}async budgets(){return(await this.ask(`budgets`)).budgets}setBudget(e){let{scope:t,subject:n,period:r,amount:i,action:a,thresholds:o}=e;return this.ask(`budgets/set`,{scope:t,subject:n,period:r,amount:i,action:a,thresholds:o})}resetBudget({scope:e,subject:t,period:n}){return this.ask(`budgets/reset`,{scope:e,subject:t,period:n})}removeBudget({scope:e,subject:t,period:n}){return this.ask(`budgets/remove`,{scope:e,subject:t,period:n})}useProvider(e,t){return this.ask(`providers/set`,{backend_id:e,enabled:t})}orderProviders(e){return this.ask(`providers/order`,{backend_ids:e})}checkProvider(e){return this.ask(`providers/check`,{backend_id:e})}get flows(){return new f(this.hass)}link(e){return`${_}/${e}`}async ask(e,t={}){try{return await this.hass.connection.sendMessagePromise({type:`zeroconf_ai/${e}`,...t})}catch(e){let{code:t,message:n}=e;throw new a(t??`failed`,n??`The command failed.`)}}},y=300,b=`component.zeroconf_ai.config_panel.`,x=class extends h{constructor(...e){super(...e),this.route={path:``},this.narrow=!1,this.loaded=``,this.ready=!1,this.language=``,this.texts=(e,t)=>this.hass.localize(b+e,t)||e}static{this.styles=e`
    :host {
      display: block;
      height: 100%;
      overflow-y: auto;
      background: var(--primary-background-color);
    }
    header {
      position: sticky;
      top: 0;
      z-index: 1;
      display: flex;
      align-items: center;
      gap: 8px;
      min-height: var(--header-height, 56px);
      padding: 0 12px;
      background: var(--app-header-background-color, var(--primary-color));
      color: var(--app-header-text-color, #fff);
    }
    h1 {
      font-size: 1.25rem;
      font-weight: 400;
      margin: 0;
    }
  `}connectedCallback(){super.connectedCallback(),n(y).then(()=>this.ready=!0)}willUpdate(e){if(e.has(`hass`)&&(this.api??=new v(this.hass),this.language!==this.hass.language)){let e=this.language=this.hass.language;this.hass.loadBackendTranslation(`config_panel`,`zeroconf_ai`).then(()=>this.loaded=e)}}render(){return m`<header>
        ${this.ready?c(this.hass,this.narrow,this.texts(`common.menu`)):r}
        <h1>ZeroConf AI</h1>
      </header>
      ${this.loaded&&this.ready?m`<zai-page
              .api=${this.api}
              .texts=${this.texts}
              .language=${this.loaded}
              .narrow=${this.narrow}
              .tab=${this.route.path.split(`/`)[1]??``}
            ></zai-page>`:r}`}};u([t({attribute:!1})],x.prototype,`hass`,void 0),u([t({attribute:!1})],x.prototype,`route`,void 0),u([t({type:Boolean})],x.prototype,`narrow`,void 0),u([o()],x.prototype,`loaded`,void 0),u([o()],x.prototype,`ready`,void 0),x=u([p(`zeroconf-ai-panel`)],x);